"""What ours is measured against, each honest and at its best.

Rule: one small module each with `make(job) -> Contender`; what the blocking ones share is in
`exchange`. The clock of every contender includes connecting, TLS, init and status.
"""
