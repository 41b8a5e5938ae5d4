// Each test runs real processes on two cores: one test at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
