"""Gradient cases by family; see make_gradient_cases.py beside this folder."""
