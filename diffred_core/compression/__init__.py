"""Fewer numbers, fewer bits: maps to k dimensions, number formats, and what both leave of neighbours and rankings.

X --fit_reductions--> Reduction --prefix(k), apply--> Z --fit_code--> NumberFormat --round_trip--> what a search sees
queries, corpus --nearest--> neighbours --neighbour_recall, rank_correlation, ndcg, recall_at--> one value a query
"""

from diffred_core.compression._codes import FORMATS as FORMATS
from diffred_core.compression._codes import NumberFormat as NumberFormat
from diffred_core.compression._codes import fit_code as fit_code
from diffred_core.compression._finite import check_finite as check_finite
from diffred_core.compression._finite import sampled as sampled
from diffred_core.compression._neighbours import nearest as nearest
from diffred_core.compression._neighbours import top_k as top_k
from diffred_core.compression._neighbours import unit_rows as unit_rows
from diffred_core.compression._product import LEVELS as LEVELS
from diffred_core.compression._product import ProductCode as ProductCode
from diffred_core.compression._product import cut as cut
from diffred_core.compression._quality import ndcg as ndcg
from diffred_core.compression._quality import neighbour_recall as neighbour_recall
from diffred_core.compression._quality import rank_correlation as rank_correlation
from diffred_core.compression._quality import recall_at as recall_at
from diffred_core.compression._reduce import KINDS as KINDS
from diffred_core.compression._reduce import Reduction as Reduction
from diffred_core.compression._reduce import fit_reductions as fit_reductions
from diffred_core.compression._transform import Transform as Transform
