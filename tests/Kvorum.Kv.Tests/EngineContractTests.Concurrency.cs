using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>One writer and several readers at once.</summary>
public abstract partial class EngineContractTests
{
    private const int Accounts = 200;
    private const int Transfers = 6_000;
    private const int Readers = 3;
    private const int ViewsMin = 20;

    /// <summary>
    /// Every publish moves money between accounts, so that every view must find the same sum; keys around them come and
    /// go, so that the tree grows and shrinks; compaction runs, so that memory is used again under the readers.
    /// </summary>
    [Fact]
    public async Task Every_view_sees_a_whole_publish_while_the_writer_goes_on()
    {
        using var engine = Open();
        var bank = new Bank(engine);
        bank.Fund();
        var readers = Enumerable.Range(1, Readers).Select(seed => Task.Run(() => bank.Read(seed))).ToArray();
        try
        {
            bank.Transfer();
        }
        finally
        {
            bank.Stop();
        }

        var views = await Task.WhenAll(readers);
        Assert.All(views, count => Assert.True(count >= ViewsMin));
        using var last = engine.OpenView();
        bank.Check(last, last.Revision);
    }

    private sealed class Bank(IEngine engine)
    {
        private readonly long[] _balances = new long[Accounts];
        private readonly HashSet<int> _others = [];
        private long _revision = 1;
        private bool _isOver;

        public void Fund()
        {
            _revision++;
            for (var account = 0; account < Accounts; account++)
            {
                _balances[account] = 1_000;
                Put(account, account);
            }

            engine.Publish(new LogIndex((ulong)_revision), _revision);
        }

        public void Transfer()
        {
            var random = new Random(1);
            for (var transfer = 0; transfer < Transfers; transfer++)
            {
                _revision++;
                var sub = 0;
                for (var move = 0; move < 3; move++)
                {
                    var from = random.Next(Accounts);
                    var to = random.Next(Accounts);
                    var amount = random.Next(100);
                    _balances[from] -= amount;
                    Put(from, sub++);
                    _balances[to] += amount;
                    Put(to, sub++);
                }

                for (var other = 0; other < 4; other++)
                {
                    Change(random.Next(20_000), sub++);
                }

                if (transfer % 50 == 0)
                {
                    engine.Compact(Math.Max(1, _revision - 20));
                }

                engine.Publish(new LogIndex((ulong)_revision), _revision);
                engine.DoMaintenance();
            }
        }

        public void Stop() => Volatile.Write(ref _isOver, true);

        public int Read(int seed)
        {
            var random = new Random(seed);
            var views = 0;
            var newest = 0L;
            while (views < ViewsMin || !Volatile.Read(ref _isOver))
            {
                using var view = engine.OpenView();
                Assert.True(view.Revision >= newest, "A later view is not older.");
                newest = view.Revision;
                Assert.Equal((ulong)view.Revision, view.Applied.Value);
                Check(view, view.Revision);
                Check(view, random.NextInt64(Math.Max(2, view.CompactedRevision), view.Revision + 1));
                CheckAll(view);
                views++;
            }

            return views;
        }

        public void Check(IEngineView view, long revision)
        {
            var sum = new Sum(revision);
            view.Scan(KeyRange.Between("account/"u8, "account0"u8), revision, ref sum);
            Assert.Equal((Accounts, Accounts * 1_000L), (sum.Count, sum.Total));
            var total = 0L;
            for (var account = 0; account < Accounts; account += 1)
            {
                Assert.True(view.TryGet(EngineScript.Bytes($"account/{account:D4}"), revision, out var row));
                total += BitConverter.ToInt64(row.Value);
            }

            Assert.Equal(Accounts * 1_000L, total);
        }

        private static void CheckAll(IEngineView view)
        {
            var order = new OrderVisitor(view.Revision);
            view.ScanAll(ref order);
            Assert.True(order.Count >= Accounts);
        }

        private void Put(int account, int sub) => engine.Put(
            EngineScript.Bytes($"account/{account:D4}"),
            BitConverter.GetBytes(_balances[account]),
            new RowHeader(new Revision(_revision, sub), 2, 1, 0, false));

        private void Change(int number, int sub)
        {
            var key = EngineScript.Bytes(number % 2 == 0 ? $"a{number:D5}" : $"z{number:D5}");
            if (_others.Remove(number))
            {
                engine.Delete(key, new Revision(_revision, sub));
            }
            else
            {
                _others.Add(number);
                engine.Put(key, key, new RowHeader(new Revision(_revision, sub), _revision, 1, 0, false));
            }
        }
    }

    private sealed class Sum(long revision) : IRowVisitor
    {
        public int Count { get; private set; }

        public long Total { get; private set; }

        public bool Visit(in Row row)
        {
            Assert.True(row.Header.Mod.Main <= revision);
            Count++;
            Total += BitConverter.ToInt64(row.Value);
            return true;
        }
    }

    private sealed class OrderVisitor(long revision) : IRowVisitor
    {
        private byte[] _key = [];
        private Revision _last;

        public int Count { get; private set; }

        public bool Visit(in Row row)
        {
            var order = row.Key.SequenceCompareTo(_key);
            Assert.True(Count == 0 || order > 0 || (order == 0 && row.Header.Mod.CompareTo(_last) > 0));
            Assert.True(row.Header.Mod.Main <= revision);
            Assert.True(row.Key[0] == 'a' && row.Key[1] == 'c' || row.Header.IsTombstone || row.Value.SequenceEqual(row.Key));
            _key = row.Key.ToArray();
            _last = row.Header.Mod;
            Count++;
            return true;
        }
    }
}
