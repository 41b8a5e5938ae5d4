namespace Kvorum.Simulator.Tests;

/// <summary>A file loses what was not synced, nothing else, and never more than a crash may take.</summary>
public sealed class SimFileTests
{
    private static ChanceSource Chance(ulong seed) => new(new KeyedChance(seed), ChanceStream.Disk, 1);

    [Fact]
    public void What_was_synced_survives_every_crash()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var chance = Chance(seed);
            var file = new SimFile();
            file.Write(Filled(9_000, 1), 0);
            file.Sync();
            file.Write(Filled(3_000, 2), 9_000);

            file.LosePower(CrashStyle.Draw(CrashKeeps.Subset, chance), chance);

            Assert.Equal(Filled(9_000, 1), Read(file, 9_000));
        }
    }

    [Fact]
    public void What_a_failed_sync_gave_up_no_later_sync_brings_to_the_medium()
    {
        var chance = Chance(1);
        var file = new SimFile();
        file.Write(Filled(600, 1), 0);
        file.Sync();
        file.Write(Filled(100, 2), 50);
        file.FailSync();
        Assert.Equal(2, Read(file, 600)[60]); // Programs go on seeing it.

        file.Sync();
        file.LosePower(CrashStyle.Draw(CrashKeeps.Everything, chance), chance);

        Assert.Equal(Filled(600, 1), Read(file, 600));
    }

    [Fact]
    public void A_crash_that_keeps_nothing_restores_the_synced_bytes_and_length()
    {
        var chance = Chance(1);
        var file = new SimFile();
        file.Write(Filled(600, 1), 0);
        file.Sync();
        file.Write(Filled(100, 2), 50);
        file.SetLength(5_000);

        file.LosePower(CrashStyle.Draw(CrashKeeps.Nothing, chance), chance);

        Assert.Equal(600, file.Length);
        Assert.Equal(Filled(600, 1), Read(file, 600));
    }

    [Fact]
    public void A_torn_write_is_old_or_new_sector_by_sector()
    {
        var torn = 0;
        for (ulong seed = 0; seed < 200; seed++)
        {
            var chance = Chance(seed);
            var file = new SimFile();
            file.Write(Filled(8_192, 1), 0);
            file.Sync();
            file.Write(Filled(8_192, 2), 0);
            file.LosePower(new CrashStyle(CrashKeeps.Subset, 512, 500_000, HasGarbage: false), chance);

            var sectors = Read(file, 8_192).Chunk(512).ToList();
            Assert.All(sectors, sector => Assert.Single(sector.Distinct()));
            torn += sectors.Select(sector => sector[0]).Distinct().Count() == 2 ? 1 : 0;
        }

        Assert.InRange(torn, 150, 200);
    }

    [Fact]
    public void What_was_cut_off_reads_as_zeros_when_the_file_grows_again()
    {
        var file = new SimFile();
        file.Write(Filled(6_000, 7), 0);
        file.SetLength(100);
        file.SetLength(6_000);

        Assert.Equal([.. Filled(100, 7), .. new byte[5_900]], Read(file, 6_000));
    }

    private static byte[] Filled(int count, byte value) => [.. Enumerable.Repeat(value, count)];

    private static byte[] Read(SimFile file, int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, file.Read(bytes, 0));
        return bytes;
    }
}
