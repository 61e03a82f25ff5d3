"""An S3 server without storage, for benchmarks: nothing under test should be able to outrun it.

Every object is arithmetic on its number; all that is remembered is which keys of the destination
were copied, and when. One or several processes, each an epoll loop; counters in shared memory.
Never imports the product. Never checks a signature: it measures clients, it does not test them.
"""
