"""What becomes of runs and sweeps: tables, pictures and one-page reports."""
