"""The benchmarks, a folder each: recipes, layout, identity and loader."""
