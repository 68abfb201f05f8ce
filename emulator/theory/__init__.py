"""What theory says of a link: predictions, curves and plans."""
