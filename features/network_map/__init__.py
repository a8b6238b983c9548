"""The network of companies for people to look at: written to files, asked what is at a node and what is around it."""
