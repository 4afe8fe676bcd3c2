"""Where rows come from: files, folders, archives, standard input."""
