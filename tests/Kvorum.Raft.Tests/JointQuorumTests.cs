using System.Numerics;

namespace Kvorum.Raft.Tests;

/// <summary>Two sets of voters, tried by exhaustion against the definition (thesis §4.3).</summary>
public sealed class JointQuorumTests
{
    private const int Nodes = 5;
    private const int Sets = 1 << Nodes;

    [Fact]
    public void Value_is_reached_when_a_majority_of_each_set_has_it()
    {
        for (var incoming = 1; incoming < Sets; incoming++)
        {
            for (var outgoing = 0; outgoing < Sets; outgoing++)
            {
                for (var has = 0; has < Sets; has++)
                {
                    // Who has it is at 2, the others are at 1.
                    var isReached = IsMajority(has, incoming) && (outgoing == 0 || IsMajority(has, outgoing));
                    var reached = JointQuorum.Reached(Values(incoming, has), Values(outgoing, has));
                    Assert.True(reached == (isReached ? 2UL : 1UL), $"{incoming:b} {outgoing:b} {has:b}: {reached}");
                }
            }
        }
    }

    [Fact]
    public void Vote_is_won_with_both_sets_and_lost_with_one()
    {
        for (var incoming = 1; incoming < Sets; incoming++)
        {
            for (var outgoing = 0; outgoing < Sets; outgoing++)
            {
                for (var granted = 0; granted < Sets; granted++)
                {
                    for (var refused = 0; refused < Sets; refused++)
                    {
                        if ((granted & refused) == 0)
                        {
                            Check(incoming, outgoing, granted, refused);
                        }
                    }
                }
            }
        }
    }

    [Fact]
    public void Two_joint_majorities_of_neighbouring_memberships_always_meet()
    {
        for (var before = 1; before < Sets; before++)
        {
            for (var after = 1; after < Sets; after++)
            {
                for (var joint = 1; joint < Sets; joint++)
                {
                    if (IsMajority(joint, before) && IsMajority(joint, after))
                    {
                        AssertMeetsEveryMajority(joint, before);
                        AssertMeetsEveryMajority(joint, after);
                    }
                }
            }
        }
    }

    private static void Check(int incoming, int outgoing, int granted, int refused)
    {
        var result = JointQuorum.Result(Count(incoming, granted, refused), Count(outgoing, granted, refused));
        var isWon = IsMajority(granted, incoming) && (outgoing == 0 || IsMajority(granted, outgoing));
        var canWin = IsMajority(~refused, incoming) && (outgoing == 0 || IsMajority(~refused, outgoing));
        var expected = isWon ? VoteResult.Won : canWin ? VoteResult.Pending : VoteResult.Lost;
        Assert.True(result == expected, $"{incoming:b} {outgoing:b} {granted:b} {refused:b}: {result}");
    }

    private static void AssertMeetsEveryMajority(int set, int voters)
    {
        for (var other = 1; other < Sets; other++)
        {
            Assert.True(!IsMajority(other, voters) || (set & other & voters) != 0);
        }
    }

    private static bool IsMajority(int set, int voters) =>
        2 * BitOperations.PopCount((uint)(set & voters)) > BitOperations.PopCount((uint)voters);

    private static ulong[] Values(int voters, int has) =>
    [
        .. Enumerable.Range(0, Nodes).Where(node => ((voters >> node) & 1) != 0)
            .Select(node => ((has >> node) & 1) != 0 ? 2UL : 1UL),
    ];

    private static VoteCount Count(int voters, int granted, int refused) => new(
        BitOperations.PopCount((uint)voters), BitOperations.PopCount((uint)(voters & granted)),
        BitOperations.PopCount((uint)(voters & refused)));
}
