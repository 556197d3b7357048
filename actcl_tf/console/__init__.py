"""What is shown to who starts a tool: progress bars, commands to go on with, names of any kind."""
