namespace Kvorum.Simulator.Tests;

/// <summary>Draws depend on their key only, never on what else was drawn.</summary>
public class KeyedChanceTests
{
    [Fact]
    public void The_same_key_draws_the_same_number_and_a_neighbouring_key_another()
    {
        var chance = new KeyedChance(42);

        Assert.Equal(chance.Bits(ChanceStream.Network, 3, 7), new KeyedChance(42).Bits(ChanceStream.Network, 3, 7));
        var neighbours = new HashSet<ulong>
        {
            chance.Bits(ChanceStream.Network, 3, 7),
            chance.Bits(ChanceStream.Network, 3, 8),
            chance.Bits(ChanceStream.Network, 4, 7),
            chance.Bits(ChanceStream.Disk, 3, 7),
            new KeyedChance(43).Bits(ChanceStream.Network, 3, 7),
        };
        Assert.Equal(5, neighbours.Count);
    }

    [Fact]
    public void Draws_below_a_bound_stay_below_it_and_reach_every_number()
    {
        var chance = new KeyedChance(1);
        var seen = new int[10];
        for (var counter = 0UL; counter < 10_000; counter++)
        {
            seen[chance.Below(10, ChanceStream.Plan, 0, counter)]++;
        }

        Assert.All(seen, count => Assert.InRange(count, 850, 1_150));
    }
}
