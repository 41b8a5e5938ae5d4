namespace Kvorum.Kv.Tests;

/// <summary>
/// Two state machines, one on the memory engine and one on the oracle, take the same log: the same results, hashes,
/// answers to queries and snapshots, whatever the engine does inside.
/// </summary>
public class DifferentialTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void The_memory_engine_and_the_oracle_never_differ(int seed)
    {
        var random = new Random(seed);
        var commands = new CommandGenerator(seed);
        var options = new KvOptions { SessionsMax = 3, AnswersPerSessionMax = 20 };
        using var memory = new TestMachine(options, MemoryEngine.Create());
        using var oracle = new TestMachine(options);
        var statuses = new HashSet<CommandStatus>();
        for (var i = 0; i < 2_000; i++)
        {
            var command = commands.Next(oracle.Machine.Revision);
            var expected = oracle.Apply(command);
            var actual = memory.Apply(command);
            statuses.Add(expected.Status);
            Assert.Equal(Describe(expected), Describe(actual));
            Assert.Equal(oracle.Machine.StateHash, memory.Machine.StateHash);
            Assert.Equal(oracle.Machine.Revision, memory.Machine.Revision);
            if (random.Next(4) == 0)
            {
                var query = commands.Range(oracle.Machine.Revision);
                Assert.Equal(Describe(oracle.Query(query)), Describe(memory.Query(query)));
            }

            if (random.Next(10) == 0)
            {
                memory.Engine.DoMaintenance();
            }

            if (random.Next(100) == 0)
            {
                AssertSameSnapshot(oracle, memory);
            }
        }

        Assert.Contains(CommandStatus.NotAList, statuses);
        Assert.Contains(CommandStatus.Compacted, statuses);
        Assert.Contains(CommandStatus.FutureRevision, statuses);
        Assert.Contains(CommandStatus.UnknownSession, statuses);
        Assert.Contains(CommandStatus.SequenceReused, statuses);
        Assert.Contains(CommandStatus.DuplicateKey, statuses);
    }

    /// <summary>A replica that restarts from a snapshot in the middle of the log ends where the others end.</summary>
    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void A_replica_restored_at_any_point_ends_with_the_same_hash(int seed)
    {
        var commands = new CommandGenerator(seed);
        using var original = new TestMachine(engine: MemoryEngine.Create());
        var snapshots = new List<(int Position, byte[] Body)>();
        for (var i = 0; i < 600; i++)
        {
            if (i % 100 == 50)
            {
                snapshots.Add((i, original.Snapshot()));
            }

            original.Apply(commands.Next(original.Machine.Revision));
        }

        foreach (var (position, body) in snapshots)
        {
            using var copy = new TestMachine(engine: MemoryEngine.Create());
            copy.Machine.Restore(TestMachine.Source(body));
            foreach (var entry in original.Log.Skip(position))
            {
                copy.Machine.Apply(entry);
            }

            Assert.Equal(original.Machine.StateHash, copy.Machine.StateHash);
            Assert.Equal(original.Machine.Applied, copy.Machine.Applied);
            AssertSameSnapshot(original, copy);
        }
    }

    [Fact]
    public void A_capture_of_the_memory_engine_holds_its_moment_while_commands_go_on()
    {
        var commands = new CommandGenerator(8);
        using var test = new TestMachine(engine: MemoryEngine.Create());
        using var oracle = new TestMachine();
        for (var i = 0; i < 300; i++)
        {
            oracle.Apply(commands.Next(test.Machine.Revision));
            test.Machine.Apply(oracle.Log[i]);
        }

        var expected = oracle.Snapshot();
        using var capture = test.Machine.Capture();
        for (var i = 0; i < 300; i++)
        {
            test.Apply(commands.Next(test.Machine.Revision));
            test.Machine.Publish();
            test.Engine.DoMaintenance();
        }

        Assert.Equal(expected, TestMachine.Snapshot(capture));
    }

    /// <summary>
    /// When the engine drops compacted rows is its own business, so rows are compared from the compacted revision on.
    /// </summary>
    private static void AssertSameSnapshot(TestMachine expected, TestMachine actual)
    {
        using var restoredExpected = Restored(expected);
        using var restoredActual = Restored(actual);
        Assert.Equal(expected.Machine.StateHash, restoredActual.Machine.StateHash);
        Assert.Equal(expected.Machine.SessionCount, restoredActual.Machine.SessionCount);
        var compacted = expected.Engine.CompactedRevision;
        for (var revision = Math.Max(1, compacted); revision <= expected.Machine.Revision; revision += 7)
        {
            var query = RangeQuery.Prefix(default) with { AtRevision = revision };
            var description = Describe(restoredExpected.Query(query));
            Assert.Equal(description, Describe(restoredActual.Query(query)));
            Assert.Equal(description, Describe(actual.Query(query)));
        }
    }

    private static TestMachine Restored(TestMachine test)
    {
        var restored = new TestMachine(test.Options, MemoryEngine.Create());
        restored.Machine.Restore(TestMachine.Source(test.Snapshot()));
        return restored;
    }

    private static string Describe(object? part) => part switch
    {
        null => "nothing",
        CommandResult result =>
            $"{result.Status} {result.Revision} {result.Count} {result.IsDetailDropped} {Describe(result.Detail)}",
        TxnResult txn => $"{txn.Succeeded} ({string.Join("; ", txn.Results.Select(Describe))})",
        RangeResult range => $"{range.Status} {range.Revision} {range.CompactedRevision} {range.Count} {range.HasMore} "
            + string.Join(", ", range.Rows.Select(Describe)),
        KeyValue[] rows => string.Join(", ", rows.Select(Describe)),
        KeyValue row => $"{Convert.ToHexString(row.Key)}={Convert.ToHexString(row.Value)} "
            + $"{row.CreateRevision} {row.ModRevision} {row.Version} {row.Lease}",
        _ => throw new ArgumentException(part.GetType().Name),
    };
}
