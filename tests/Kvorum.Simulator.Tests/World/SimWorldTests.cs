namespace Kvorum.Simulator.Tests;

/// <summary>The scheduler, the clocks, the names of a disk, and chance.</summary>
public sealed class SimWorldTests
{
    [Fact]
    public void Events_come_by_time_and_then_in_the_order_they_were_asked_for()
    {
        var world = new SimWorld(1, null);
        var seen = new List<int>();
        var order = new ChanceSource(new KeyedChance(3), ChanceStream.Plan, 0);
        var times = Enumerable.Range(0, 500).Select(_ => (long)order.Below(50)).ToArray();
        for (var i = 0; i < times.Length; i++)
        {
            var number = i;
            world.At(times[i], () => seen.Add(number));
        }

        while (world.NextAt != long.MaxValue)
        {
            world.RunNext();
        }

        Assert.Equal(Enumerable.Range(0, 500).OrderBy(i => times[i]).ThenBy(i => i), seen);
    }

    [Fact]
    public void A_fast_clock_reaches_its_time_early_and_a_frozen_one_shows_no_gap()
    {
        var world = new SimWorld(1, null);
        var clock = new SimClock(world);
        clock.Drift(1_000_000);
        world.SkipTo(1_000);
        Assert.Equal(2_000, clock.Local);
        Assert.Equal(1_500, clock.WorldTimeOf(3_000));

        world.SkipTo(5_000);
        clock.StoodStillSince(1_000);
        Assert.Equal(2_000, clock.Local);
    }

    [Fact]
    public void A_name_survives_only_when_its_directory_was_synced()
    {
        var world = new SimWorld(1, null);
        var disk = new SimDisk(world, 1);
        disk.Change(null, "/data/a", new SimFile());
        disk.SyncDirectory("/data");
        disk.Change("/data/a", "/data/b", disk.Names["/data/a"]);
        disk.Change(null, "/data/wal/c", new SimFile());
        disk.SyncDirectory("/data/wal");

        disk.LosePower(CrashKeeps.Nothing);

        Assert.Equal(["/data/a", "/data/wal/c"], disk.Names.Keys);
    }

    [Fact]
    public void An_exponential_draw_has_its_mean()
    {
        var chance = new ChanceSource(new KeyedChance(5), ChanceStream.Network, 9);
        var mean = Enumerable.Range(0, 20_000).Average(_ => chance.Exponential(1_000));

        Assert.InRange(mean, 950, 1_100);
    }
}
