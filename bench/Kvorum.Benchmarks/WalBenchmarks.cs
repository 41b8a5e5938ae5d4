using BenchmarkDotNet.Attributes;
using Kvorum.Raft;
using Kvorum.Storage;

namespace Kvorum.Benchmarks;

/// <summary>
/// One batch into the log on a real disk, synced. Segments are prepared and cut as a node does it, in the time
/// measured.
/// </summary>
public class WalBenchmarks
{
    private const int EntriesKept = 100_000;

    private static readonly GroupId Group = new(1);

    private string _directory = "";
    private Wal _wal = null!; // Set up before each benchmark.
    private LogEntry[] _entries = [];
    private ulong _next;
    private ulong _cut;

    [Params(1, 64, 1024)]
    public int Batch { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _directory = Path.Combine(Environment.CurrentDirectory, $"kvorum-bench-{Environment.ProcessId}");
        _wal = Wal.Open(new FileDisk(), _directory, new WalOptions { ClusterId = 1, Node = new NodeId(1) });
        _wal.TakeRecovered(Group);
        _entries = Filler.Entries(Batch, 1);
        _next = 1;
        _cut = 0;
    }

    [Benchmark]
    public ulong AppendAndSync()
    {
        for (var i = 0; i < _entries.Length; i++)
        {
            _entries[i] = _entries[i] with { Id = new EntryId(new Term(1), new LogIndex(_next++)) };
        }

        _wal.Append(Group, _entries);
        _wal.Sync();
        if (_next - _cut > 2 * EntriesKept)
        {
            _cut = _next - EntriesKept;
            _wal.CutBefore(Group, new EntryId(new Term(1), new LogIndex(_cut)));
        }

        if (_wal.NeedsNextSegment)
        {
            _wal.PrepareNextSegment();
        }

        return _next;
    }

    [GlobalCleanup]
    public void CleanUp()
    {
        _wal.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
