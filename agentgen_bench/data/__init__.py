"""Getting the data sets that a family can use but that are not ours to ship."""
