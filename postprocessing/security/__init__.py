"""How many secret bits a block holds: entropy bounds and composable key lengths."""
