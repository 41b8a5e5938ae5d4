namespace Kvorum.Raft;

/// <summary>What a replica is at the moment (paper §5.1; pre-candidate: thesis §9.6).</summary>
public enum Role : byte
{
    Follower = 0,
    PreCandidate = 1,
    Candidate = 2,
    Leader = 3,
}
