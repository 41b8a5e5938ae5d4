using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

public abstract partial class EngineContractTests
{
    private const int ModelSteps = 6_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Agrees_with_a_simple_model_over_random_operations(int seed) => new ModelRun(Open(), seed).Play();

    private sealed class ModelRun(IEngine engine, int seed)
    {
        private readonly Random _random = new(seed);
        private readonly EngineModel _model = new();
        private readonly List<(IEngineView View, EngineModel Model)> _open = [];
        private readonly byte[][] _keys = KeysOf(seed);
        private long _revision = 1;
        private long _compacted;
        private int _sub;

        public void Play()
        {
            for (var step = 1; step <= ModelSteps; step++)
            {
                Play(_random.Next(100));
                if (step % 500 == 0)
                {
                    CheckAll();
                }
            }

            CheckAll();
            _open.ForEach(open => open.View.Dispose());
            engine.Dispose();
        }

        private static byte[][] KeysOf(int seed)
        {
            // Odd seeds: arbitrary bytes, often prefixes of each other. Even ones: long common prefixes, as in
            // practice.
            var random = new Random(seed * 31);
            var keys = new SortedSet<byte[]>(KeyOrder.Instance);
            while (keys.Count < 700)
            {
                var tail = new byte[random.Next(seed % 2 == 0 ? 1 : 0, 6)];
                random.NextBytes(tail);
                for (var place = 0; place < tail.Length; place++)
                {
                    tail[place] = (byte)(random.Next(3) switch { 0 => 0, 1 => 255, _ => tail[place] });
                }

                keys.Add(seed % 2 == 0 ? [.. "/registry/pods/"u8, (byte)('a' + random.Next(3)), .. tail] : tail);
            }

            return [.. keys];
        }

        private void Play(int choice)
        {
            switch (choice)
            {
                case < 45:
                    Put(Key());
                    break;
                case < 70:
                    Delete(Key());
                    break;
                case < 88:
                    Publish();
                    break;
                case < 90:
                    _compacted = _random.NextInt64(_compacted, _revision + 1);
                    engine.Compact(_compacted);
                    break;
                case < 95:
                    engine.DoMaintenance();
                    break;
                case < 97:
                    Publish();
                    var view = engine.OpenView();
                    _open.Add((view, _model.Copy()));
                    break;
                default:
                    CloseOne();
                    break;
            }
        }

        private byte[] Key() => _keys[_random.Next(_keys.Length)];

        private void Put(byte[] key)
        {
            var before = _model.Newest(key);
            var value = new byte[_random.Next(400)];
            _random.NextBytes(value);
            var header = new RowHeader(
                NextRevision(), before?.Header.CreateRevision ?? _revision + 1, before?.Header.Version + 1 ?? 1, seed, false);
            engine.Put(key, value, header);
            _model.Add(key, value, header);
        }

        private void Delete(byte[] key)
        {
            if (_model.Newest(key) is null)
            {
                Assert.False(engine.TryGetNewest(key, out _));
                return;
            }

            var header = new RowHeader(NextRevision(), 0, 0, 0, true);
            engine.Delete(key, header.Mod);
            _model.Add(key, [], header);
        }

        private Revision NextRevision() => new(_revision + 1, _sub++);

        private void Publish()
        {
            if (_sub > 0)
            {
                _revision++;
                _sub = 0;
            }

            engine.Publish(new LogIndex((ulong)_revision), _revision);
            _model.Publish(_revision, _compacted);
            Assert.Equal(_model.KeyCount, engine.KeyCount);
        }

        private void CloseOne()
        {
            if (_open.Count > 0)
            {
                var place = _random.Next(_open.Count);
                Check(_open[place].View, _open[place].Model);
                _open[place].View.Dispose();
                _open.RemoveAt(place);
            }
        }

        private void CheckAll()
        {
            Publish();
            using var view = engine.OpenView();
            Check(view, _model);
            _open.ForEach(open => Check(open.View, open.Model));
            foreach (var key in _keys)
            {
                var expected = _model.Newest(key);
                Assert.Equal(expected is not null, engine.TryGetNewest(key, out var row));
                Assert.True(expected is null || expected.SameAs(ModelRow.Of(row)));
            }
        }

        private void Check(IEngineView view, EngineModel model)
        {
            Assert.Equal((model.Revision, model.Compacted), (view.Revision, view.CompactedRevision));
            var all = new RowCollector();
            view.ScanAll(ref all);
            AssertSame(model.All(), all.Rows);
            for (var round = 0; round < 4; round++)
            {
                var revision = round == 0 ? model.Revision : _random.NextInt64(model.Compacted, model.Revision + 1);
                var start = round == 0 ? [] : Key();
                var end = _random.Next(2) == 0 ? null : Key();
                var found = new RowCollector();
                view.Scan(end is null ? KeyRange.From(start) : KeyRange.Between(start, end), revision, ref found);
                var expected = model.Range(start, end, revision);
                AssertSame(expected, found.Rows);
                var history = new RowCollector();
                view.ScanHistory(
                    end is null ? KeyRange.From(start) : KeyRange.Between(start, end), revision, ref history);
                AssertSame(
                    [
                        .. all.Rows.Where(row => row.Header.Mod.Main >= revision
                            && row.Key.AsSpan().SequenceCompareTo(start) >= 0
                            && (end is null || row.Key.AsSpan().SequenceCompareTo(end) < 0)),
                    ],
                    history.Rows);
                foreach (var row in expected)
                {
                    Assert.True(view.TryGet(row.Key, revision, out var got));
                    Assert.True(row.SameAs(ModelRow.Of(got)));
                }
            }
        }

        private static void AssertSame(List<ModelRow> expected, List<ModelRow> actual)
        {
            Assert.Equal(expected.Count, actual.Count);
            for (var place = 0; place < expected.Count; place++)
            {
                Assert.True(expected[place].SameAs(actual[place]), $"Row {place} differs.");
            }
        }
    }
}
