using System.Numerics;
using System.Runtime.InteropServices;

namespace Kvorum.Simulator;

/// <summary>Something that happens at a moment of virtual time.</summary>
internal abstract class SimEvent
{
    public abstract void Run();
}

/// <summary>An event that only calls something.</summary>
internal sealed class CallEvent(Action call) : SimEvent
{
    public override void Run() => call();
}

/// <summary>What a line of the trace, and a link of the trace hash, is about. Stable numbers.</summary>
internal enum TraceKind : byte
{
    Turn = 1,
    Sent = 2,
    Delivered = 3,
    DiskWrite = 4,
    DiskSync = 5,
    DiskName = 6,
    Step = 7,
    Applied = 8,
    Restored = 9,
    Started = 10,
    Stopped = 11,
    Invoked = 12,
    Returned = 13,
    Fault = 14,
    Phase = 15,
    Connection = 16,
    Attempt = 17,
    Answer = 18,
    Completed = 19,
}

/// <summary>
/// The only scheduler: events in order of (time, sequence), on the thread that calls <see cref="RunNext"/>, in virtual
/// microseconds. Idle time costs nothing.
/// </summary>
internal sealed class SimWorld(ulong seed, Action<string>? trace)
{
    private const ulong HashFactor = 0x9E3779B97F4A7C15UL;

    private Slot[] _heap = new Slot[256];
    private int _count;
    private ulong _sequence;
    private ulong _hash = seed;

    public KeyedChance Chance { get; } = new(seed);

    /// <summary>Virtual time in microseconds.</summary>
    public long Now { get; private set; }

    public long Events { get; private set; }

    public ulong TraceHash => _hash;

    public bool IsTracing => trace is not null;

    /// <summary>How often what was done to the cluster, by name.</summary>
    public SimCounters Injected { get; } = new();

    /// <summary>When the next event is due; <see cref="long.MaxValue"/> when there is none.</summary>
    public long NextAt => _count == 0 ? long.MaxValue : _heap[0].Time;

    /// <summary>Lets an event happen at a moment that is not past.</summary>
    public void At(long time, SimEvent happening)
    {
        if (_count == _heap.Length)
        {
            Array.Resize(ref _heap, _count * 2);
        }

        var slot = new Slot(Math.Max(time, Now), ++_sequence, happening);
        var at = _count++;
        while (at > 0)
        {
            var parent = (at - 1) >> 2;
            if (!slot.IsBefore(_heap[parent]))
            {
                break;
            }

            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = slot;
    }

    public void At(long time, Action call) => At(time, new CallEvent(call));

    /// <summary>Runs the next event.</summary>
    public void RunNext()
    {
        var next = _heap[0];
        var last = _heap[--_count];
        _heap[_count] = default;
        if (_count > 0)
        {
            Sink(last);
        }

        Now = next.Time;
        Events++;
        next.Event.Run();
    }

    /// <summary>Time passes without an event.</summary>
    public void SkipTo(long time) => Now = Math.Max(Now, time);

    /// <summary>A link in the chain of the trace hash, and a line of the trace when one is wanted.</summary>
    public void Trace(TraceKind kind, int node, ulong first, ulong second = 0, ulong third = 0)
    {
        var hash = _hash;
        var moment = (ulong)kind | ((ulong)node << 8) | ((ulong)Now << 16);
        hash = (BitOperations.RotateLeft(hash, 7) ^ moment) * HashFactor;
        hash = (BitOperations.RotateLeft(hash, 7) ^ first) * HashFactor;
        hash = (BitOperations.RotateLeft(hash, 7) ^ second) * HashFactor;
        hash = (BitOperations.RotateLeft(hash, 7) ^ third) * HashFactor;
        _hash = hash ^ (hash >> 29);
        if (trace is not null && kind is not (TraceKind.Turn or TraceKind.DiskWrite or TraceKind.DiskSync))
        {
            Say($"node {node} {kind} {first:x} {second:x} {third:x}");
        }
    }

    /// <summary>A line of the trace that is not in the hash.</summary>
    public void Say(string line) => trace?.Invoke($"{Now,12} {line}");

    private void Sink(in Slot slot)
    {
        var at = 0;
        while (true)
        {
            var first = (at << 2) + 1;
            if (first >= _count)
            {
                break;
            }

            var least = first;
            var end = Math.Min(first + 4, _count);
            for (var i = first + 1; i < end; i++)
            {
                if (_heap[i].IsBefore(_heap[least]))
                {
                    least = i;
                }
            }

            if (!_heap[least].IsBefore(slot))
            {
                break;
            }

            _heap[at] = _heap[least];
            at = least;
        }

        _heap[at] = slot;
    }

    private readonly record struct Slot(long Time, ulong Sequence, SimEvent Event)
    {
        public bool IsBefore(in Slot other) => Time < other.Time || (Time == other.Time && Sequence < other.Sequence);
    }
}

/// <summary>Counts by name, in the order of names.</summary>
internal sealed class SimCounters
{
    private readonly Dictionary<string, long> _counts = new(StringComparer.Ordinal);

    public void Add(string name, long count = 1) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, name, out _) += count;

    public long this[string name] => _counts.TryGetValue(name, out var count) ? count : 0;

    public IReadOnlyDictionary<string, long> ToDictionary() =>
        new SortedDictionary<string, long>(_counts, StringComparer.Ordinal);
}
