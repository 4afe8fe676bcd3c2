"""The bench that keeps the speed: `make bench ONLY=recommend` and friends, `make bench-compare`.

Floor and product take turns in one run, so that what the machine does meanwhile happens to both;
what is kept is their quotient. Its bias: all is on one machine, over loopback. A ranker is fed by a
script in the place of feedback and profile, of the ranker's own tree: it has a catalogue by chance
(Gaussian around 64 tastes), rules of some items, users with 20 recent and 200 seen items, and
nothing happens meanwhile. The client is sockets that write requests made beforehand and look for
the end of answers; a report says what share of a processor it took.
"""
