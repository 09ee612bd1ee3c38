"""Similarities other than linear CKA, to see whether a finding hangs on the measure."""

from diffred_core.similarity._cca import pwcca as pwcca
from diffred_core.similarity._cca import svcca as svcca
from diffred_core.similarity._neighbours import mutual_knn as mutual_knn
from diffred_core.similarity._procrustes import procrustes_similarity as procrustes_similarity
from diffred_core.similarity._rbf import rbf_cka as rbf_cka
