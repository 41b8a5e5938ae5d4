using System.Text;

namespace Kvorum.Kv.Tests;

/// <summary>The checksum that operators compare between nodes.</summary>
public class HashQueryTests
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Etcd_5_6_it_is_equal_whatever_is_thrown_away_already(int seed)
    {
        using var lazy = new TestMachine(engine: MemoryEngine.Create());
        using var eager = new TestMachine(engine: MemoryEngine.Create());
        var chance = new Random(seed);
        var compacted = 0L;
        for (var i = 0; i < 300; i++)
        {
            var key = Bytes($"k{chance.Next(20)}");
            Command command = chance.Next(10) switch
            {
                < 6 => new Put(key, Bytes($"{chance.Next(3)}")),
                < 9 => new DeleteRange(key, chance.Next(4) == 0 ? Bytes("kz") : default),
                _ when lazy.Machine.Revision > compacted + 1 =>
                    new Compact(compacted = chance.NextInt64(compacted + 1, lazy.Machine.Revision + 1)),
                _ => new Put(key, default),
            };
            Assert.Equal(lazy.Apply(command), eager.Apply(command));
            lazy.Machine.Publish();
            eager.Machine.Publish();
            while (eager.Machine.Engine.DoMaintenance())
            {
            }

            foreach (var revision in new[] { 0, compacted, (compacted + lazy.Machine.Revision) / 2 })
            {
                Assert.Equal(Hash(lazy, revision), Hash(eager, revision));
            }
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Fact]
    public void Etcd_8_9_it_changes_with_every_write_and_stays_for_an_old_revision()
    {
        using var test = new TestMachine();
        var seen = new HashSet<uint>();
        for (var i = 0; i < 50; i++)
        {
            test.Apply(i % 5 == 4 ? new DeleteRange(Bytes("a"), default) : new Put(Bytes("a"), default));
            test.Machine.Publish();
            Assert.True(seen.Add(Hash(test, 0).Hash));
        }

        Assert.Equal(seen.First(), Hash(test, 2).Hash);
        Assert.Equal(CommandStatus.FutureRevision, Hash(test, 52).Status);
        test.Apply(new Compact(10));
        test.Machine.Publish();
        Assert.Equal(CommandStatus.Compacted, Hash(test, 9).Status);
    }

    private static HashResult Hash(TestMachine test, long revision)
    {
        using var view = test.Machine.Engine.OpenView();
        return new HashQuery(revision).Execute(view);
    }
}
