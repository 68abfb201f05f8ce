"""The commands of `diqkd`, one file for each group, and the flags they share."""
