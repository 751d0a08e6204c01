"""Box to mask to tracked mask: where the target of the present instruction is in the head picture."""
