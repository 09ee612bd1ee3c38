"""The tunnel of a network: from which layer on depth no longer helps, and what it costs on other data.

Accuracies of probes on every layer, in execution order, last = penultimate (the classifier itself is left out):

ood --percent_retained, revised_tunnel_start, strength--> how much is lost on other data, from which layer on
id --tunnel_start--> where the original rule sees the tunnel begin
id, ood --id_ood_correlation, alignment--> whether the layers that serve the one serve the other
"""

from diffred_core.redundancy import STRENGTHS as STRENGTHS
from diffred_core.redundancy import strength as strength
from diffred_core.tunnel._measures import alignment as alignment
from diffred_core.tunnel._measures import id_ood_correlation as id_ood_correlation
from diffred_core.tunnel._measures import percent_retained as percent_retained
from diffred_core.tunnel._measures import revised_tunnel_start as revised_tunnel_start
from diffred_core.tunnel._measures import tunnel_start as tunnel_start
