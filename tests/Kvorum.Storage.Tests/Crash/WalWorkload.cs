using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// A varied, seeded use of a log with small segments: everything a log can be asked for, and clean restarts.
/// </summary>
internal sealed class WalWorkload(CrashDisk disk, int seed, LogModel model)
{
    public const string Directory = "/data/wal";

    private readonly Random _random = new(seed);
    private ulong _term = 1;

    public static GroupId[] Groups { get; } = [new(1), new(2)];

    public static WalOptions Options { get; } = Logs.Options(segmentBytes: 1024);

    /// <summary>Runs it and returns how many disk operations it took.</summary>
    public int Run(int steps = 60)
    {
        var wal = Wal.Open(disk, Directory, Options);
        for (var i = 0; i < steps; i++)
        {
            Append(wal, Groups[_random.Next(2)]);
            if (_random.Next(2) == 0)
            {
                wal.Sync();
                model.Acknowledge();
            }

            if (_random.Next(8) == 0)
            {
                Cut(wal, Groups[_random.Next(2)]);
            }

            if (_random.Next(6) == 0)
            {
                wal.PrepareNextSegment();
            }

            if (_random.Next(15) == 0)
            {
                wal.Sync();
                model.Acknowledge();
                wal.Dispose();
                wal = Wal.Open(disk, Directory, Options);
            }
        }

        wal.Sync();
        model.Acknowledge();
        wal.Dispose();
        return disk.Operations;
    }

    private void Append(Wal wal, GroupId group)
    {
        switch (_random.Next(12))
        {
            case 0:
                _term++;
                var state = Logs.State(_term, _random.Next(2) == 0 ? null : (ulong)_random.Next(1, 4));
                model.Save(group, state);
                wal.Append(group, state);
                break;
            case 1:
                var start = new EntryId(new Term(_term), model.EndOf(group).Plus((ulong)_random.Next(5)));
                model.Reset(group, start);
                wal.AppendReset(group, start);
                break;
            case 2:
                // A new leader replaces the tail.
                _term++;
                AppendEntries(wal, group, model.EndOf(group).CountSince(model.StartOf(group)));
                break;
            default:
                AppendEntries(wal, group, replaced: 0);
                break;
        }
    }

    private void AppendEntries(Wal wal, GroupId group, ulong replaced)
    {
        var back = (ulong)_random.Next((int)Math.Min(replaced, 4) + 1);
        var first = new LogIndex(model.EndOf(group).Value - back).Next;
        var payloadBytes = _random.Next(20) == 0 ? 1500 : _random.Next(60);
        var entries = Logs.Entries(_term, first.Value, _random.Next(1, 6), payloadBytes);
        model.Append(group, entries);
        wal.Append(group, entries);
    }

    private void Cut(Wal wal, GroupId group)
    {
        var count = model.EndOf(group).CountSince(model.StartOf(group));
        if (count == 0)
        {
            return;
        }

        var kept = new EntryId(new Term(_term), model.StartOf(group).Plus((ulong)_random.Next(1, (int)count + 1)));
        model.Cut(group, kept);
        wal.CutBefore(group, kept);
        model.Acknowledge();
    }
}
