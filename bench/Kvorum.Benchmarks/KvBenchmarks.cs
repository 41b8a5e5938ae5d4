using BenchmarkDotNet.Attributes;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Benchmarks;

/// <summary>The state machine with 100,000 keys: applying writes, reading keys and ranges.</summary>
public class KvBenchmarks
{
    private const int Keys = 100_000;
    private const int Batch = 64;
    private const int WritesPerCompaction = 65_536;

    private readonly KvMachine _machine = new(MemoryEngine.Create(), new KvOptions());
    private readonly byte[][] _puts = new byte[Keys][];
    private readonly RangeQuery _one = new(Filler.Key(Keys / 2), default);
    private readonly RangeQuery _hundred = new(Filler.Key(Keys / 2), Filler.Key((Keys / 2) + 100));
    private readonly RangeQuery _count = RangeQuery.Prefix("bench-"u8.ToArray()) with { CountOnly = true };
    private ulong _index;
    private int _sinceCompaction;

    [GlobalSetup]
    public void SetUp()
    {
        for (var key = 0; key < Keys; key++)
        {
            _puts[key] = Filler.Encoded(Filler.Put(key));
            Apply(_puts[key]);
        }

        _machine.Publish();
    }

    /// <summary>
    /// 64 puts on random keys and one publish; old versions are compacted now and then, in the time measured.
    /// </summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public long Put()
    {
        for (var i = 0; i < Batch; i++)
        {
            Apply(_puts[(_index * 7919) % Keys]);
        }

        _sinceCompaction += Batch;
        if (_sinceCompaction >= WritesPerCompaction)
        {
            _sinceCompaction = 0;
            Apply(Filler.Encoded(new Compact(_machine.Revision)));
        }

        _machine.Publish();
        while (_machine.Engine.DoMaintenance())
        {
        }

        return _machine.Revision;
    }

    [Benchmark]
    public RangeResult Get() => Run(_one);

    [Benchmark]
    public RangeResult RangeOfHundred() => Run(_hundred);

    [Benchmark]
    public RangeResult CountAll() => Run(_count);

    private RangeResult Run(RangeQuery query)
    {
        using var view = _machine.Engine.OpenView();
        return query.Execute(view);
    }

    private void Apply(byte[] command)
    {
        var id = new EntryId(new Term(1), new LogIndex(++_index));
        _machine.Apply(new LogEntry(id, EntryKind.Command, command));
    }
}
