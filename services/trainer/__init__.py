"""The trainer: a history of events and a catalogue in, a generation out.

    interactions   events -> who did what, memory-mapped, by user and by item
    ials           interactions -> base vectors of items (procrustes keeps the space stable)
    item_tower     content -> base vector: where a new item starts
    sasrec, gru    recent item vectors -> user vector, in the space of the base vectors
    scorer         candidate features -> score per outcome
    serving        the system over a part of the history, with or without a generation
    contest        which trained parts are better than none, on the last part of the history
    export         models -> ONNX, verified on real inputs
    generation     all of it as one folder, published through the feedback service

Memory and machines. What grows with the number of events is on disk and is read in blocks: the
interactions, and the vectors of users while iALS alternates. In memory are the vectors of items
(4 bytes x dimension each), two counts per user, and one block. Arithmetic for 10^8 users and
10^10 interactions at d = 128: 80 GB of rows for each orientation, 51 GB of user vectors, both
mapped; a sweep reads each once. `engine` is the seam to a cluster: every half-step of iALS is a
map over blocks of rows that share only the vectors of the other side, so `--engine ray` sends the
same blocks to Ray workers that see the folder (a shared file system). Nothing else changes: the
result is bit-equal, because a block's result does not depend on where it is computed.
"""
