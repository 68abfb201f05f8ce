"""What a report looks like, in the terminal and as one HTML file."""
