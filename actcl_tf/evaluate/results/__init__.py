"""What is written of an evaluation: results, tables, figures, pages, comparisons."""
