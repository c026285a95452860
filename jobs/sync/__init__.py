"""Record sync: two CRMs kept equal, field by field."""
