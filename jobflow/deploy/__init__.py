"""What is installed into a cluster: roles, Deployment and what goes with it, as objects made from the code."""
