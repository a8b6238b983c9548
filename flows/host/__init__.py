"""What `tidewaiter up` keeps going (both servers, the signer, the worker, the nights), and what `status` says of it.

Not here: flows and commands.
"""
