using BenchmarkDotNet.Attributes;

namespace Kvorum.Benchmarks;

/// <summary>Consensus alone, in memory: from a proposal to its commit on three replicas.</summary>
public class RaftBenchmarks
{
    private Trio _trio = null!; // Set up before each benchmark.
    private ReadOnlyMemory<byte>[] _commands = [];

    [Params(1, 64, 1024)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _trio = new Trio();
        _commands = new ReadOnlyMemory<byte>[Batch];
        Array.Fill(_commands, Filler.Encoded(Filler.Put(1)));
    }

    [Benchmark]
    public ulong ProposeToCommit() => _trio.Commit(_commands).Value;
}

/// <summary>Read barriers, each confirmed by a round of its own.</summary>
public class ReadBenchmarks
{
    private readonly Trio _trio = new();

    /// <summary>A leader confirms reads only once an entry of its own term is committed (thesis §6.4).</summary>
    [GlobalSetup]
    public void SetUp() => _trio.Commit(new ReadOnlyMemory<byte>[] { Filler.Encoded(Filler.Put(1)) });

    [Benchmark]
    public long OnTheLeader() => _trio.Read(node: 0);

    [Benchmark]
    public long OnAFollower() => _trio.Read(node: 1);
}
