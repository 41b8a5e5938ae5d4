using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>
/// The contract, and what is promised of the memory engine alone: how much memory, and how misuse is met.
/// </summary>
public sealed class MemoryEngineTests : EngineContractTests
{
    private const int ValueBytes = 256;

    [Fact]
    public void A_stored_key_costs_at_most_a_hundred_bytes_above_key_and_value()
    {
        const int keys = 100_000;
        using var loaded = Open();
        loaded.Clear();
        using var written = Open();
        for (var number = 0; number < keys; number++)
        {
            var header = new RowHeader(new Revision(number + 2, 0), number + 2, 1, 0, false);
            loaded.Load(new Row(Key(number), new byte[ValueBytes], header));
            written.Put(Key((int)(number * 7_919L % keys)), new byte[ValueBytes], header);
            if (number % 100 == 0)
            {
                written.Publish(new LogIndex((ulong)number), number + 2);
            }
        }

        loaded.Publish(new LogIndex(1), keys + 1);
        Assert.InRange(loaded.BytesUsed / keys - 16 - ValueBytes, 1, 100);
        Assert.InRange(written.BytesUsed / keys - 16 - ValueBytes, 1, 120);
    }

    [Fact]
    public void Memory_does_not_grow_while_keys_are_overwritten_and_compacted_for_ever()
    {
        using var engine = Open();
        var random = new Random(3);
        var peak = 0L;
        for (var main = 2; main < 400_000; main++)
        {
            // Some keys are written again and again, some hardly ever, so that old chunks keep a few rows each.
            var number = random.Next(10) == 0 ? random.Next(10_000) : random.Next(500);
            engine.Put(Key(number), new byte[random.Next(2 * ValueBytes)], Header(main));
            if (main % 100 == 0)
            {
                engine.Compact(main - 50);
                engine.Publish(new LogIndex((ulong)main), main);
                while (engine.DoMaintenance())
                {
                }

                peak = Math.Max(peak, engine.BytesUsed);
            }
        }

        // Nearly 10,000 keys of 256 bytes on average are 3.4 MB with their heads.
        Assert.InRange(engine.KeyCount, 9_700, 10_000);
        Assert.InRange(peak, 3_000_000, 10_000_000);
    }

    [Fact]
    public void Memory_does_not_grow_while_large_values_come_and_go()
    {
        using var engine = Open();
        for (var main = 2; main < 2_000; main++)
        {
            engine.Put(Key(main % 3), new byte[500_000], Header(main));
            engine.Compact(main);
            engine.Publish(new LogIndex((ulong)main), main);
            while (engine.DoMaintenance())
            {
            }

            Assert.InRange(engine.BytesUsed, 500_000, 6_000_000);
        }
    }

    [Fact]
    public void Memory_comes_back_after_all_keys_are_deleted()
    {
        using var script = new EngineScript(Open());
        for (var number = 0; number < 20_000; number++)
        {
            script.Put($"{number:D6}", new string('v', ValueBytes));
        }

        script.Publish();
        var full = script.Engine.BytesUsed;
        for (var number = 0; number < 20_000; number++)
        {
            script.Delete($"{number:D6}");
        }

        script.Compact(script.Revision);
        Assert.InRange(script.Engine.BytesUsed, 0, full / 2);
    }

    [Fact]
    public void A_compaction_finds_loaded_history_though_it_was_loaded_by_key()
    {
        using var engine = Open();
        engine.Clear();
        engine.Load(new Row(Key(0), [], Header(1_000_000)));
        engine.Load(new Row(Key(0), [], Header(1_000_001)));
        for (var number = 1; number <= 1_000; number++)
        {
            for (var version = 0; version < 10; version++)
            {
                engine.Load(new Row(Key(number), new byte[ValueBytes], Header((version * 1_000) + 3_001 - number)));
            }
        }

        engine.Publish(new LogIndex(1), 1_000_001);
        var before = engine.BytesUsed;
        engine.Compact(20_000);
        engine.Publish(new LogIndex(2), 1_000_001);
        while (engine.DoMaintenance())
        {
        }

        Assert.InRange(engine.BytesUsed, 1, before / 2);
        Assert.Equal(1_001, engine.KeyCount);
    }

    [Fact]
    public void An_open_view_holds_memory_and_closing_it_lets_it_go()
    {
        using var engine = Open();
        Overwrite(engine, 2);
        var view = engine.OpenView();
        var before = engine.BytesUsed;
        for (var round = 3; round < 30; round++)
        {
            Overwrite(engine, round);
        }

        var held = engine.BytesUsed;
        Assert.True(held > before * 10, "What a view may still read is not used again.");
        view.Dispose();
        while (engine.DoMaintenance())
        {
        }

        Assert.InRange(engine.BytesUsed, 1, held / 4);
    }

    [Fact]
    public void A_closed_view_is_not_read()
    {
        using var script = new EngineScript(Open());
        script.Put("a", "1");
        script.Publish();
        var view = script.Engine.OpenView();
        view.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.Revision);
        Assert.Throws<ObjectDisposedException>(() => view.TryGet("a"u8, 2, out _));
    }

    [Fact]
    public void A_view_is_read_only_between_its_compacted_revision_and_its_own()
    {
        using var script = new EngineScript(Open());
        script.Put("a", "1");
        script.Put("a", "2");
        script.Compact(3);
        using var view = script.Engine.OpenView();
        Assert.Throws<ArgumentOutOfRangeException>(() => view.TryGet("a"u8, 4, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.TryGet("a"u8, 2, out _));
        Assert.True(view.TryGet("a"u8, 3, out _));
    }

    [Fact]
    public void Revisions_that_do_not_rise_stop_the_replica()
    {
        using var engine = Open();
        engine.Put("a"u8, "1"u8, Header(5));
        Assert.Throws<InvariantException>(() => engine.Put("b"u8, "1"u8, Header(5)));
        Assert.Throws<InvariantException>(() => engine.Put("b"u8, "1"u8, Header(4)));
        engine.Publish(new LogIndex(1), 6);
        Assert.Throws<InvariantException>(() => engine.Put("b"u8, "1"u8, Header(6)));
        Assert.Throws<InvariantException>(() => engine.Publish(new LogIndex(2), 5));
    }

    [Fact]
    public void Deleting_a_key_that_does_not_exist_stops_the_replica()
    {
        using var engine = Open();
        Assert.Throws<InvariantException>(() => engine.Delete("a"u8, new Revision(2, 0)));
    }

    protected override IEngine Open() => MemoryEngine.Create();

    private static byte[] Key(int number) => EngineScript.Bytes($"key-{number:D12}");

    private static RowHeader Header(long main) => new(new Revision(main, 0), main, 1, 0, false);

    private static void Overwrite(IEngine engine, int round)
    {
        for (var number = 0; number < 1_000; number++)
        {
            engine.Put(Key(number), new byte[ValueBytes], new RowHeader(new Revision(round, number), 2, 1, 0, false));
        }

        engine.Compact(round);
        engine.Publish(new LogIndex((ulong)round), round);
        while (engine.DoMaintenance())
        {
        }
    }
}
