"""Who is told, when and in what words: incidents, messages and the channels they go through."""
