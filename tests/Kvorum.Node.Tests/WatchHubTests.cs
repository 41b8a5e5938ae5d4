using System.Text;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node.Tests;

/// <summary>Watchers against the list of all that was ever written.</summary>
public class WatchHubTests
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [Fact]
    public void Etcd_6_5_a_watcher_without_a_start_is_told_what_comes_after_it()
    {
        using var world = new World();
        world.Put("a", "1");
        world.Publish();
        var watcher = world.Watch("a", "", 0);
        world.Settle();
        world.Put("a", "2");
        world.Put("b", "1");
        world.Publish();
        Assert.Equal(["a=2@3"], world.TakeAll(watcher));
    }

    [Fact]
    public void Etcd_6_5_a_watcher_from_an_old_revision_is_told_all_from_there_on()
    {
        using var world = new World();
        world.Put("a", "1");
        world.Put("a", "2");
        world.Delete("a");
        world.Publish();
        var watcher = world.Watch("a", "", 3);
        world.Put("a", "3");
        world.Publish();
        Assert.Equal(["a=2@3", "a deleted@4", "a=3@5"], world.TakeAll(watcher));
    }

    [Fact]
    public void Etcd_6_5_a_watcher_from_a_future_revision_is_told_nothing_below_it()
    {
        using var world = new World();
        var watcher = world.Watch("a", "", 4);
        world.Put("a", "1");
        world.Put("a", "2");
        world.Publish();
        Assert.Empty(world.TakeAll(watcher));
        world.Put("a", "3");
        world.Publish();
        Assert.Equal(["a=3@4"], world.TakeAll(watcher));
    }

    [Fact]
    public void Etcd_6_6_a_watcher_whose_start_is_compacted_hears_so()
    {
        using var world = new World();
        world.Put("a", "1");
        world.Put("a", "2");
        world.Put("a", "3");
        world.Compact(4);
        world.Publish();
        var watcher = world.Watch("a", "", 3);
        Assert.Equal(4, watcher.Take([]).CompactedRevision);
    }

    [Fact]
    public void Etcd_6_6_a_start_that_is_compacted_but_not_yet_forgotten_is_refused_too()
    {
        using var world = new World();
        using var other = world.Watch("b", "", 0);
        world.Settle();
        world.Put("a", "1");
        world.Put("a", "2");
        world.Put("a", "3");
        world.Publish();
        world.Compact(4);
        world.Publish();
        Assert.Equal(4, world.Watch("a", "", 3).Take([]).CompactedRevision);
    }

    /// <summary>etcd #18089, #19179.</summary>
    [Fact]
    public void Etcd_5_4_a_delete_at_the_compacted_revision_is_told()
    {
        using var world = new World();
        world.Put("a", "1");
        world.Delete("a");
        world.Put("b", "1");
        world.Compact(3);
        world.Publish();
        world.Maintain();
        Assert.Equal(["a deleted@3", "b=1@4"], world.TakeAll(world.Watch("a", "c", 3)));
    }

    [Fact]
    public void Etcd_6_12_filters_leave_out_puts_or_deletes()
    {
        using var world = new World();
        var puts = world.Watch("a", "", 1, skipsDeletes: true);
        var deletes = world.Watch("a", "", 1, skipsPuts: true);
        world.Put("a", "1");
        world.Delete("a");
        world.Publish();
        Assert.Equal(["a=1@2"], world.TakeAll(puts));
        Assert.Equal(["a deleted@3"], world.TakeAll(deletes));
    }

    [Fact]
    public void Etcd_6_19_a_watcher_that_takes_nothing_holds_no_more_than_its_queue_and_loses_nothing()
    {
        using var world = new World();
        var slow = world.Watch("a", "", 0);
        world.Settle();
        slow.Take([]);
        for (var i = 0; i < 3 * WatchLimits.QueuedEventsMax; i++)
        {
            world.Put("a", $"{i}");
            world.Publish();
            Assert.True((slow.Queued?.Count ?? 0) <= WatchLimits.QueuedEventsMax);
        }

        Assert.Equal(world.Expected("a", "", 2), world.TakeAll(slow));
    }

    [Fact]
    public void While_nobody_watches_no_event_is_made()
    {
        using var world = new World();
        world.Put("a", "1");
        Assert.False(world.IsKeeping);
        world.Publish();
        var watcher = world.Watch("a", "", 0);
        world.Settle();
        Assert.True(world.IsKeeping);
        watcher.Dispose();
        world.Publish();
        world.Settle();
        Assert.False(world.IsKeeping);
    }

    /// <summary>
    /// W2 to W7: each wanted event once, in order, whole revisions, whoever joins, lags or resumes when.
    /// </summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Every_watcher_is_told_each_event_of_its_range_once_and_in_order(int seed)
    {
        var chance = new Random(seed);
        using var world = new World();
        var told = new List<(Watcher Watcher, string Key, string End, long From, List<string> Events)>();
        string Key() => $"{(char)('a' + chance.Next(4))}{(chance.Next(2) == 0 ? "" : (char)('a' + chance.Next(3)))}";
        for (var step = 0; step < 400; step++)
        {
            switch (chance.Next(8))
            {
                case 0 when told.Count < 12:
                    var (key, end) = (Key(), chance.Next(3) switch { 0 => "", 1 => "\0", _ => Key() });
                    var from = chance.Next(2) == 0 ? 0 : chance.Next(1, (int)world.Revision + 5);
                    var watcher = world.Watch(key, end, from);
                    told.Add((watcher, key, end, from == 0 ? watcher.MadeAtRevision + 1 : from, []));
                    break;
                case 1: world.Settle(); break;
                case 2 or 3: world.Publish(turns: chance.Next(2) == 0); break;
                case 4 when told.Count > 0:
                    var lucky = told[chance.Next(told.Count)];
                    world.Take(lucky.Watcher, lucky.Events);
                    break;
                case 5: world.Burst(Key(), chance.Next(3) == 0 ? WatchLimits.QueuedEventsMax + 10 : 3); break;
                default: world.Write(Key(), chance); break;
            }
        }

        world.Publish();
        foreach (var (watcher, key, end, from, events) in told)
        {
            events.AddRange(world.TakeAll(watcher));
            Assert.Equal(world.Expected(key, end, from), events);
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    /// <summary>An applier and a hub, played by hand.</summary>
    private sealed class World : IDisposable
    {
        private readonly IEngine _engine = MemoryEngine.Create();
        private readonly KvMachine _machine;
        private readonly WatchHub _hub;
        private readonly List<(string Key, string Text, long Revision)> _all = [];
        private bool _isBatchOpen;

        public World()
        {
            _machine = new KvMachine(_engine, new KvOptions());
            _hub = new WatchHub(_engine, new ReadableEngine(_engine));
        }

        public bool IsKeeping { get; private set; }

        public long Revision => _machine.Revision;

        public Watcher Watch(string key, string end, long from, bool skipsPuts = false, bool skipsDeletes = false) =>
            _hub.Add(
                new WatchOptions(Bytes(key), Bytes(end), from) { SkipsPuts = skipsPuts, SkipsDeletes = skipsDeletes },
                static _ => { });

        public void Put(string key, string value)
        {
            Apply(new Put(Bytes(key), Bytes(value)));
            _all.Add((key, $"{key}={value}@{_machine.Revision}", _machine.Revision));
        }

        public void Delete(string key)
        {
            var before = _machine.Revision;
            Apply(new DeleteRange(Bytes(key), default));
            if (_machine.Revision > before)
            {
                _all.Add((key, $"{key} deleted@{_machine.Revision}", _machine.Revision));
            }
        }

        public void Compact(long revision) => Apply(new Compact(revision));

        public void Maintain()
        {
            while (_engine.DoMaintenance())
            {
            }
        }

        public void Burst(string key, int count)
        {
            for (var i = 0; i < count; i++)
            {
                Put(key, $"{i}");
            }
        }

        public void Write(string key, Random chance)
        {
            if (chance.Next(3) == 0)
            {
                Delete(key);
            }
            else
            {
                Put(key, $"{chance.Next(100)}");
            }
        }

        /// <summary>The batch ends; with <paramref name="turns"/> the hub's worker runs, too.</summary>
        public void Publish(bool turns = true)
        {
            _machine.Publish();
            if (_machine.Written is not null)
            {
                _hub.Publish(_machine.Revision);
            }

            _isBatchOpen = false;
            if (turns)
            {
                _hub.Turn();
            }
        }

        /// <summary>The applier has a turn without work.</summary>
        public void Settle()
        {
            if (!_isBatchOpen)
            {
                Begin();
                _isBatchOpen = false;
            }
        }

        public void Take(Watcher watcher, List<string> told)
        {
            var events = new List<KeyEvent>();
            watcher.Take(events);
            told.AddRange(events.Select(happened => happened.IsDelete
                ? $"{Encoding.UTF8.GetString(happened.Row.Key)} deleted@{happened.Revision}"
                : $"{Encoding.UTF8.GetString(happened.Row.Key)}={Encoding.UTF8.GetString(happened.Row.Value)}"
                    + $"@{happened.Revision}"));
        }

        public List<string> TakeAll(Watcher watcher)
        {
            var told = new List<string>();
            Settle();
            _hub.Turn();
            for (var round = 0; round < 1_000 && (watcher.IsReady || round == 0); round++)
            {
                Take(watcher, told);
            }

            return told;
        }

        public List<string> Expected(string key, string end, long from) =>
        [
            .. _all.Where(happened => happened.Revision >= from
                    && RangeQuery.Contains(Bytes(key), Bytes(end), Bytes(happened.Key)))
                .Select(happened => happened.Text),
        ];

        public void Dispose() => _engine.Dispose();

        private void Begin()
        {
            IsKeeping = _hub.BeginBatch(_machine.Revision);
            _machine.Written = IsKeeping ? _hub.Written : null;
            _isBatchOpen = true;
        }

        private void Apply(Command command)
        {
            if (!_isBatchOpen)
            {
                Begin();
            }

            var payload = new byte[CommandCodec.Size(command)];
            CommandCodec.Encode(command, payload);
            _machine.Apply(new LogEntry(
                new EntryId(new Term(1), _machine.Applied.Next), EntryKind.Command, payload));
        }
    }
}
