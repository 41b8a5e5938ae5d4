using System.Numerics;

namespace Kvorum.Raft.Tests;

/// <summary>The arithmetic of a set of voters, against its definition, for all small sets.</summary>
public sealed class MajorityTests
{
    [Fact]
    public void Reached_value_is_the_largest_that_a_majority_has()
    {
        for (var voters = 1; voters <= 5; voters++)
        {
            for (var code = 0; code < (int)BigInteger.Pow(4, voters); code++)
            {
                var values = Enumerable.Range(0, voters).Select(i => (ulong)((code >> (2 * i)) & 3)).ToArray();
                var expected = values.Where(value => values.Count(other => other >= value) > voters / 2).Max();
                Assert.Equal(expected, Majority.Reached([.. values]));
            }
        }
    }

    [Fact]
    public void Vote_is_won_by_a_majority_and_lost_when_none_is_possible_any_more()
    {
        for (var voters = 1; voters <= 7; voters++)
        {
            for (var granted = 0; granted <= voters; granted++)
            {
                for (var refused = 0; refused + granted <= voters; refused++)
                {
                    var expected = granted * 2 > voters ? VoteResult.Won
                        : (voters - refused) * 2 <= voters ? VoteResult.Lost : VoteResult.Pending;
                    Assert.Equal(expected, Majority.Result(voters, granted, refused));
                }
            }
        }
    }
}
