"""`python -m bench`: the product against single-process engines that compute the same tables from the same files."""
