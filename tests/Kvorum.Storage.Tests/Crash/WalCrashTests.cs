using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// The power fails at every single operation of a varied workload, and each time a different share of what was not
/// synced survives. What was acknowledged is there again; what was not asked for is not.
/// </summary>
public sealed class WalCrashTests
{
    private const string Directory = WalWorkload.Directory;
    private static readonly GroupId[] _groups = WalWorkload.Groups;

    [Theory]
    [InlineData(1, Survival.None)]
    [InlineData(2, Survival.All)]
    [InlineData(3, Survival.Prefix)]
    [InlineData(4, Survival.Subset)]
    [InlineData(5, Survival.Subset)]
    [InlineData(6, Survival.Subset)]
    public void Everything_acknowledged_survives_a_power_failure_at_any_operation(int seed, Survival survival)
    {
        var total = new WalWorkload(new CrashDisk(), seed, new LogModel(1, 2)).Run();
        Assert.InRange(total, 150, 5_000);
        for (var operation = 1; operation <= total; operation++)
        {
            var disk = new CrashDisk { PowerFailsAt = operation };
            var model = new LogModel(1, 2);
            Assert.Throws<PowerFailureException>(() => new WalWorkload(disk, seed, model).Run());
            var random = new Random(seed * 100_000 + operation);
            var image = disk.AfterCrash(survival, random);

            // The power fails again while the log repairs itself.
            image.PowerFailsAt = 1 + random.Next(8);
            try
            {
                Wal.Open(image, Directory, WalWorkload.Options);
            }
            catch (PowerFailureException)
            {
            }

            CheckAndContinue(image.AfterCrash(survival, random), model);
        }
    }

    [Fact]
    public void A_log_that_recovers_a_torn_batch_makes_it_durable_before_it_tells()
    {
        var disk = new CrashDisk();
        var model = new LogModel(1);
        var wal = Wal.Open(disk, Directory, Logs.Options());
        wal.Append(_groups[0], Logs.Entries(1, 1, 3));
        disk.PowerFailsAt = disk.Operations + 2; // The write is through, the sync is not: a killed process.
        Assert.Throws<PowerFailureException>(wal.Sync);

        var killed = disk.AfterCrash(Survival.All, new Random(1));
        using var again = Wal.Open(killed, Directory, Logs.Options());
        Assert.Equal(3, again.TakeRecovered(_groups[0]).Entries.Count);
        var afterPowerFailure = killed.AfterCrash(Survival.None, new Random(1));
        model.Append(_groups[0], Logs.Entries(1, 1, 3));
        using var last = Wal.Open(afterPowerFailure, Directory, Logs.Options());
        model.AssertLast(last);
    }

    /// <summary>Opens the crashed log, compares, goes on with it, and opens it once more.</summary>
    private static void CheckAndContinue(CrashDisk disk, LogModel model)
    {
        var after = new List<string>();
        using (var wal = Wal.Open(disk, Directory, WalWorkload.Options))
        {
            model.AssertPossible(wal);
        }

        using (var wal = Wal.Open(disk, Directory, WalWorkload.Options))
        {
            foreach (var group in _groups)
            {
                var found = wal.TakeRecovered(group);
                var next = found.LogStart.Index.Plus((ulong)found.Entries.Count).Next;
                wal.Append(group, Logs.Entries(99, next.Value, 20, payloadBytes: 40));
                wal.Append(group, Logs.State(99, vote: 1));
                after.AddRange(found.Entries.Select(Logs.Show));
                after.AddRange(Logs.Entries(99, next.Value, 20, payloadBytes: 40).Select(Logs.Show));
            }

            wal.Sync();
        }

        using (var wal = Wal.Open(disk.AfterCrash(Survival.None, new Random(1)), Directory, WalWorkload.Options))
        {
            var recovered = _groups.Select(wal.TakeRecovered).ToArray();
            Assert.All(recovered, log => Assert.Equal(Logs.State(99, vote: 1), log.HardState));
            Assert.Equal(after, recovered.SelectMany(log => log.Entries).Select(Logs.Show));
        }
    }
}
