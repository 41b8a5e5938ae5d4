namespace Kvorum.Storage.Tests;

/// <summary>
/// One node's whole directory (identity, log, snapshots, a received snapshot, a repair) under a scripted workload, cut
/// at every write, sync and rename, with many shares of what was not synced. Whatever is found afterwards is what was
/// durable, and perhaps more of what was asked for; nothing else; and it goes on from there.
/// </summary>
public sealed class CrashImageTests
{
    /// <summary>How many images the workload must give at least.</summary>
    private const int ImagesMin = 2_000;

    private static readonly (Survival Survival, int Times)[] _shares =
    [
        (Survival.None, 1), (Survival.All, 1), (Survival.Prefix, 3), (Survival.Subset, 5),
    ];

    [Fact]
    public void Two_thousand_crash_images_lose_nothing_synced_and_invent_nothing()
    {
        var total = new NodeFiles(new CrashDisk()).Run();
        var images = 0;
        for (var operation = 1; operation <= total; operation++)
        {
            var disk = new CrashDisk { PowerFailsAt = operation };
            var files = new NodeFiles(disk);
            Assert.Throws<PowerFailureException>(() => files.Run());
            foreach (var (survival, times) in _shares)
            {
                for (var i = 0; i < times; i++)
                {
                    var image = disk.AfterCrash(survival, new Random((operation * 100) + ((int)survival * 10) + i));
                    files.Model.AssertPossible(image);
                    images++;
                }
            }
        }

        TestContext.Current.SendDiagnosticMessage($"{images} crash images of {total} operations.");
        Assert.True(images >= ImagesMin, $"{images} images of {total} operations");
    }
}
