"""config.yaml and the environment -> Settings, or every problem at once, each with its place."""
