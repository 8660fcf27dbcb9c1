# example files
