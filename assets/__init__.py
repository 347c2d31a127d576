"""The asset graph, a module per layer; an asset is a few lines that call a domain function."""
