"""What a workload is: one row a kind, and how its status reads as a ChildView."""
