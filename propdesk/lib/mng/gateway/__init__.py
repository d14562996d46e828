"""The Mng commands over TCP, as clients of the original API speak them.

A frame is one UTF-8 JSON document that ends in `\\r\\n`, in both directions; a connection carries any number of them,
and answers come as they are ready, matched by `extID`. Every frame carries its token as `__token`.

A frame that cannot be read is answered in the envelope and the connection goes on. One over the size limit is answered
413 TOO_LARGE and skipped up to its end, so that other commands of the connection are not lost with it.
"""
