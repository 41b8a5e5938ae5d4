using System.Text;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Simulator;

/// <summary>
/// Watches a key or all of them over connections that end again and again, each time at another node from where it was;
/// and holds what it is told against what was written (W1 to W9).
/// </summary>
internal sealed class SimWatcher
{
    private const long ConnectionMin = 200_000;
    private const long ConnectionMean = 3_000_000;
    private const long ConnectionMax = 6_000_000;
    private const long RetryPause = 100_000;
    private const long SlowMean = 1_000_000;

    private readonly SimWorld _world;
    private readonly SimNetwork _network;
    private readonly SimNode[] _nodes;
    private readonly WatchLedger _ledger;
    private readonly Marks _marks;
    private readonly Action<string, string> _violate;
    private readonly ChanceSource _chance;
    private readonly int _number;
    private readonly string _key;
    private readonly bool _isPrefix;
    private readonly bool _isSlow;
    private readonly bool _skipsPuts;
    private readonly bool _skipsDeletes;
    private IReadOnlyList<int> _endpoints = [];
    private Watcher? _watcher;
    private SimProcess? _process;
    private long _connection;
    private long _heardAt;
    private long _next;
    private int _place;

    public SimWatcher(
        SimWorld world, SimNetwork network, SimNode[] nodes, WatchLedger ledger, Marks marks,
        Action<string, string> violate, int number)
    {
        _world = world;
        _network = network;
        _nodes = nodes;
        _ledger = ledger;
        _marks = marks;
        _violate = violate;
        _number = number;
        _chance = new ChanceSource(world.Chance, ChanceStream.Watch, (ulong)number);
        _isPrefix = _chance.Below(3) != 0;
        _key = _isPrefix ? "k" : $"k{_chance.Below(2)}.0";
        _isSlow = _chance.Below(3) == 0;
        var filter = _chance.Below(8);
        _skipsPuts = filter == 1;
        _skipsDeletes = filter == 2;
    }

    /// <summary>It was told of everything that was written so far.</summary>
    public bool HasAll
    {
        get
        {
            SkipUnwanted();
            return _next > 0 && _place == _ledger.Written.Count;
        }
    }

    /// <summary>The nodes it connects to from now on.</summary>
    public void Use(IReadOnlyList<int> places)
    {
        var isFirst = _endpoints.Count == 0;
        _endpoints = places;
        if (isFirst)
        {
            _world.At(_world.Now + _chance.Below(2_000_000), Connect);
        }
    }

    public override string ToString() => $"Watcher {_number} of {_key}{(_isPrefix ? "*" : "")}"
        + $"{(_skipsPuts ? " without puts" : "")}{(_skipsDeletes ? " without deletes" : "")}";

    private void Connect()
    {
        var connection = ++_connection;
        var place = _chance.Pick(_endpoints);
        if (_network.ClientDelay(place) is { } delay)
        {
            _world.At(_world.Now + delay, new Arrival(this, _nodes[place - 1], connection));
            var lasts = Math.Min(ConnectionMax, ConnectionMin + _chance.Exponential(ConnectionMean));
            _world.At(_world.Now + delay + lasts, () => End(connection));
        }
        else
        {
            _world.At(_world.Now + RetryPause, Connect);
        }
    }

    /// <summary>The connection breaks: what is under way is lost, and the next begins where this one was.</summary>
    private void End(long connection)
    {
        if (connection != _connection)
        {
            return;
        }

        if (_process is { IsAlive: true })
        {
            _watcher?.Dispose();
        }

        _watcher = null;
        _process = null;
        _connection++; // Nothing more of this one is heard.
        _world.At(_world.Now + RetryPause, Connect);
    }

    /// <summary>The node has the request.</summary>
    private void Begin(SimProcess process, long connection)
    {
        if (connection != _connection)
        {
            return;
        }

        ReadOnlyMemory<byte> key = Encoding.UTF8.GetBytes(_key);
        ReadOnlyMemory<byte> end = _isPrefix ? "l"u8.ToArray() : default;
        var options = new WatchOptions(key, end, _next) { SkipsPuts = _skipsPuts, SkipsDeletes = _skipsDeletes };
        _marks.ReachIf(_next > 0, "watch.resumed");
        _marks.ReachIf(_next > process.Kvorum.Revision + 1, "watch.of.the.future");
        _process = process;
        _heardAt = 0;
        _watcher = process.Kvorum.Watch(options, _ => ServeSoon(process, connection));
        process.AfterWork();
    }

    private void ServeSoon(SimProcess process, long connection)
    {
        var pause = 1 + _chance.Below(100) + (_isSlow ? _chance.Exponential(SlowMean) : 0);
        _world.At(_world.Now + pause, new Service(process, this, connection));
    }

    /// <summary>The node sends what there is.</summary>
    private void Serve(SimProcess process, long connection)
    {
        if (connection != _connection || _watcher is not { } watcher)
        {
            return;
        }

        var events = new List<KeyEvent>();
        var progress = watcher.Take(events);
        var before = new string?[events.Count];
        for (var i = 0; i < before.Length; i++)
        {
            var row = process.Kvorum.ReadBefore(events[i].Row.Key, events[i].Revision);
            before[i] = row is null ? null : Encoding.UTF8.GetString(row.Value);
        }

        if (_network.ClientDelay(process.Place) is not { } delay)
        {
            End(connection);
            return;
        }

        _heardAt = Math.Max(_heardAt + 1, _world.Now + delay); // One behind the other, as in any stream.
        var made = watcher.MadeAtRevision;
        _world.At(_heardAt, () => Hear(connection, made, events, before, progress));
    }

    private void Hear(long connection, long made, List<KeyEvent> events, string?[] before, WatchProgress progress)
    {
        if (connection != _connection || progress == default)
        {
            return; // The node is stopping, or nobody listens any more.
        }

        if (_next == 0)
        {
            _next = made + 1;
            while (_place < _ledger.Written.Count && _ledger.Written[_place].Revision < _next)
            {
                _place++;
            }
        }

        _marks.ReachIf(events.Count > 0, "watch.told");
        _marks.ReachIf(!progress.IsCurrent, "watch.read.from.history");
        if (progress.CompactedRevision > 0)
        {
            _violate("W6", $"{this} was told that {progress.CompactedRevision} is compacted; nobody compacts.");
            return;
        }

        for (var i = 0; i < events.Count; i++)
        {
            if (Wrong(events[i], before[i]) is { } wrong)
            {
                _violate(wrong.Rule, $"{this}, on its connection {connection}: {wrong.Text}");
                return;
            }
        }

        Follow(events.Count > 0 ? events[^1].Revision : 0, progress.Revision);
    }

    /// <summary>What is wrong with an event; null when it is the next one there was.</summary>
    private (string Rule, string Text)? Wrong(KeyEvent told, string? before)
    {
        SkipUnwanted();
        var key = Encoding.UTF8.GetString(told.Row.Key);
        var value = told.IsDelete ? null : Encoding.UTF8.GetString(told.Row.Value);
        var said = $"told {key} = {value ?? "nothing"} at revision {told.Revision}";
        if (!Concerns(key) || (told.IsDelete ? _skipsDeletes : _skipsPuts))
        {
            return ("W1", $"{said}, which it did not ask for.");
        }

        if (told.Revision < _next)
        {
            return ("W3", $"{said}, and has been told everything below {_next}.");
        }

        if (_place == _ledger.Written.Count)
        {
            return ("W7", $"{said}, which nobody wrote.");
        }

        var expected = _ledger.Written[_place];
        if (told.Revision != expected.Revision || key != expected.Key || value != expected.Value)
        {
            var rule = told.Revision > expected.Revision ? "W7" : "W2";
            return (rule, $"{said}; the next change is {expected}.");
        }

        var isCreated = !told.IsDelete && told.Row.CreateRevision == told.Row.ModRevision;
        if (isCreated != expected.IsCreated)
        {
            return ("W8", $"{said}, created: {isCreated}; it is {expected}.");
        }

        if (before != expected.Before)
        {
            return ("W9", $"{said}, before it {before ?? "nothing"}; it is {expected}.");
        }

        _place++;
        return null;
    }

    /// <summary>Nothing of what it was told is cut, and nothing is left out below where it is told to be.</summary>
    private void Follow(long last, long progress)
    {
        SkipUnwanted();
        var missing = _place < _ledger.Written.Count ? _ledger.Written[_place] : default;
        if (last > 0 && missing.Revision == last)
        {
            _violate("W4", $"{this} was told a part of revision {last} only; {missing} belongs to it.");
        }
        else if (progress > _ledger.Revision || (missing.Revision > 0 && missing.Revision <= progress))
        {
            _violate(
                "W5", $"{this} was told that it has everything up to {progress}; there is {_ledger.Revision}, and it "
                    + $"has not got {missing}.");
        }

        _next = Math.Max(_next, Math.Max(last, progress) + 1);
    }

    private void SkipUnwanted()
    {
        while (_place < _ledger.Written.Count && !IsWanted(_ledger.Written[_place]))
        {
            _place++;
        }
    }

    private bool IsWanted(in WrittenValue written) =>
        Concerns(written.Key) && !(written.Value is null ? _skipsDeletes : _skipsPuts);

    private bool Concerns(string key) => _isPrefix ? key.StartsWith(_key, StringComparison.Ordinal) : key == _key;

    /// <summary>The request comes to a node: to its process, or to a closed port.</summary>
    private sealed class Arrival(SimWatcher watcher, SimNode node, long connection) : SimEvent
    {
        public override void Run()
        {
            if (node.PausedUntil > watcher._world.Now)
            {
                node.Park(this);
            }
            else if (node.Process is { IsOpen: true, IsAlive: true } process)
            {
                watcher.Begin(process, connection);
            }
            else
            {
                watcher.End(connection);
            }
        }
    }

    private sealed class Service(SimProcess process, SimWatcher watcher, long connection) : ProcessEvent(process)
    {
        protected override void Execute() => watcher.Serve(Process, connection);
    }
}
