"""Networks x chips x clocks x schedules on a Dask cluster; results are kept by what they depend on."""
