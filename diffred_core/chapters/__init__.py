"""The chapters of the book: one folder each, with its sweeps, claims, figures, tables and names."""
