namespace Kvorum.Simulator;

/// <summary>Draws what a run is made of: every dimension may be off, tiny or extreme.</summary>
internal static class SwarmSettings
{
    /// <summary>Strikes are many only for kinds that the cluster recovers from by itself.</summary>
    private static readonly (FaultKind Kind, int OnPercent, int PerMinuteMax, long DurationMax)[] Kinds =
    [
        (FaultKind.Partition, 50, 30, 8_000_000),
        (FaultKind.OneWay, 35, 20, 8_000_000),
        (FaultKind.Bridge, 20, 10, 8_000_000),
        (FaultKind.MajoritiesRing, 15, 6, 8_000_000),
        (FaultKind.Flap, 20, 10, 5_000_000),
        (FaultKind.SlowLink, 30, 20, 5_000_000),
        (FaultKind.HalfOpen, 20, 10, 8_000_000),
        (FaultKind.CorruptFrame, 25, 20, 5_000_000),
        (FaultKind.ClientCut, 20, 10, 3_000_000),
        (FaultKind.Crash, 60, 30, 5_000_000),
        (FaultKind.CrashAtDiskOperation, 50, 40, 3_000_000),
        (FaultKind.CrashAfterSend, 35, 30, 2_000_000),
        (FaultKind.Pause, 35, 20, 5_000_000),
        (FaultKind.RestartLoop, 15, 6, 3_000_000),
        (FaultKind.PowerLoss, 30, 10, 1_000_000),
        (FaultKind.GracefulStop, 25, 10, 2_000_000),
        (FaultKind.SlowDisk, 30, 15, 4_000_000),
        (FaultKind.SyncError, 20, 6, 500_000),
        (FaultKind.ReadError, 10, 6, 500_000),
        (FaultKind.DiskFull, 20, 6, 3_000_000),
        (FaultKind.BitRot, 20, 6, 0),
        (FaultKind.MisdirectedWrite, 6, 3, 0),
        (FaultKind.LostWrite, 6, 3, 0),
        (FaultKind.WipedDirectory, 8, 3, 0),
        (FaultKind.OldBackup, 8, 3, 5_000_000),
        (FaultKind.TornTail, 6, 3, 0),
        (FaultKind.ClockDrift, 15, 10, 10_000_000),
        (FaultKind.ClockJump, 15, 10, 0),
        (FaultKind.TakeSnapshot, 25, 20, 0),
        (FaultKind.StaleWrite, 15, 6, 0),
        (FaultKind.UpdateMember, 25, 20, 0),
        (FaultKind.OldLeaderReturns, 30, 10, 4_000_000),
    ];

    private static readonly (FaultKind Kind, int OnPercent, int PerMinuteMax, bool IsChange)[] MemberKinds =
    [
        (FaultKind.AddMember, 80, 15, true),
        (FaultKind.RemoveMember, 80, 12, true),
        (FaultKind.ReplaceMember, 60, 10, true),
        (FaultKind.TransferLeadership, 30, 20, false),
    ];

    public static SimSettings Draw(ulong seed)
    {
        var chance = new ChanceSource(new KeyedChance(seed), ChanceStream.Settings, 0);
        var isCalm = chance.Below(20) == 0;
        var settings = Network(chance, Cluster(chance), isCalm);
        settings = WithPatience(settings) with { IsBeyondTolerance = LossPlan.IsBeyondTolerance(seed) };
        settings = isCalm ? settings : settings with
        {
            Faults = Faults(chance),
            ApplyDelayMean = chance.Pick([0, 0, 0, 0, 20_000, 300_000]),
        };
        settings = Members(new ChanceSource(new KeyedChance(seed), ChanceStream.Settings, 1), settings, isCalm);
        settings = Sessions(new ChanceSource(new KeyedChance(seed), ChanceStream.Settings, 2), settings);
        return Watchers(new ChanceSource(new KeyedChance(seed), ChanceStream.Settings, 3), settings);
    }

    private static SimSettings Watchers(ChanceSource chance, SimSettings settings) => settings.IsBeyondTolerance
        ? settings
        : settings with { Watchers = chance.Pick([0, 0, 0, 1, 4]) };

    /// <summary>
    /// Sessions that expire while the run lasts. What a client sends must have come or be lost for good by then, or the
    /// first command of a session, sent twice, may rightly take effect twice: so no copies minutes later and no paused
    /// nodes with requests in their sockets, and a limit above every delay and patience together.
    /// </summary>
    private static SimSettings Sessions(ChanceSource chance, SimSettings settings)
    {
        var mayExpire = chance.Below(3) != 0 && settings.LateDuplicatePerMillion == 0
            && settings.Faults.All(rate => rate.Kind is not FaultKind.Pause);
        return mayExpire ? settings with { SessionIdle = chance.Pick([20_000_000L, 30_000_000]) } : settings;
    }

    private static SimSettings Cluster(ChanceSource chance)
    {
        // Heartbeat and election: 100 ms / 1 s as shipped, and far from it.
        var (tick, heartbeat, election) = chance.Pick<(int Tick, int Heartbeat, int Election)>(
        [
            (10_000, 10, 100), (10_000, 10, 100), (10_000, 3, 27), (10_000, 10, 52), (50_000, 2, 20), (5_000, 20, 400),
        ]);
        return new SimSettings
        {
            Voters = chance.Pick([3, 3, 3, 3, 3, 5, 5, 1, 2, 4, 7]),
            TickMicroseconds = tick,
            HeartbeatTicks = heartbeat,
            ElectionTicks = election,
            AppendEntriesMax = chance.Pick([1024, 1024, 64, 8, 2, 1]),
            InflightMessagesMax = chance.Pick([256, 256, 64, 8, 1]),
            WalSegmentBytes = chance.Pick([64L * 1024, 64 * 1024, 4 * 1024, 1024 * 1024]),
            SnapshotLogBytes = chance.Pick([32L * 1024, 4 * 1024, 1024, 256 * 1024, 16L * 1024 * 1024]),
            SnapshotChunkBytesMax = chance.Pick([4 * 1024, 100, 1024, 256 * 1024]),
            TrailingEntries = chance.Pick([20, 0, 0, 3, 200, 10_000]),
            Clients = 1 + chance.Below(8),
            Keys = chance.Pick([2, 4, 8, 8, 32]),
            OperationsPerSecond = chance.Pick([5, 20, 20, 20, 60]),
            RequestTimeout = chance.Pick([2_000_000L, 2_000_000, 500_000, 5_000_000]),
            SafetyPhase = chance.Pick([10_000_000L, 20_000_000, 30_000_000, 30_000_000, 60_000_000]),
            SyncMean = chance.Pick([300, 300, 50, 3_000, 12_000]),
            SlowSyncPerMillion = chance.Pick([0, 1_000, 20_000]),
            CrashKeeps = chance.Pick([0, 1, 2, 3, 3, 3]),
            ClockDriftPerMillion = chance.Pick([0, 0, 100, 50_000, 300_000]),
            SnapshotChunksInflightMax = chance.Pick([8, 8, 1, 2, 64]),
        };
    }

    /// <summary>
    /// One entry at a time over a slow way is what a run may be about; that clients then wait long, too, is not a bug.
    /// </summary>
    private static SimSettings WithPatience(SimSettings settings)
    {
        var isNarrow = settings.AppendEntriesMax * settings.InflightMessagesMax < 64;
        var trip = (2 * settings.DelayMean) + settings.SyncMean;
        return isNarrow && trip > 10_000
            ? settings with { RequestTimeout = Math.Max(settings.RequestTimeout, 5_000_000) }
            : settings;
    }

    private static SimSettings Network(ChanceSource chance, SimSettings settings, bool isCalm)
    {
        settings = settings with
        {
            DelayMin = chance.Pick([20, 100, 100, 1_000]),
            DelayMean = chance.Pick([100, 500, 500, 2_000, 10_000]),
        };
        if (settings.DelayMean >= 2_000)
        {
            // Tiny chunks over a slow network, perhaps one at a time, would take longer than a phase.
            const int ChunkBytes = 4 * 1024;
            settings = settings with { SnapshotChunkBytesMax = Math.Max(ChunkBytes, settings.SnapshotChunkBytesMax) };
        }

        return isCalm ? settings : settings with
        {
            DropPerMillion = chance.Pick([0, 0, 1_000, 20_000, 100_000]),
            DuplicatePerMillion = chance.Pick([0, 1_000, 50_000]),
            LateDuplicatePerMillion = chance.Pick([0, 1_000, 10_000]),
            ReorderPerMillion = chance.Pick([0, 1_000, 100_000]),
            HeavyTailPerMillion = chance.Pick([0, 1_000, 20_000]),
        };
    }

    /// <summary>Learners from the beginning, and operators who change who is a member and who leads.</summary>
    private static SimSettings Members(ChanceSource chance, SimSettings settings, bool isCalm)
    {
        if (settings.IsBeyondTolerance)
        {
            return settings; // What such a run loses must be all that it is about.
        }

        settings = settings with { Learners = chance.Pick([0, 0, 0, 1, 2, 3]) };
        var changesMembers = chance.Below(3) == 0;
        var rates = new List<FaultRate>(settings.Faults);
        foreach (var (kind, onPercent, perMinuteMax, isChange) in MemberKinds)
        {
            var isOn = chance.Below(100) < onPercent && (changesMembers || !isChange);
            var perMinute = Math.Max(1, perMinuteMax / chance.Pick([1, 3]));
            if (isOn && !isCalm)
            {
                rates.Add(new FaultRate(kind, perMinute, 0));
            }
        }

        return settings with { Faults = rates };
    }

    private static List<FaultRate> Faults(ChanceSource chance)
    {
        var rates = new List<FaultRate>();
        foreach (var (kind, onPercent, perMinuteMax, durationMax) in Kinds)
        {
            var isOn = chance.Below(100) < onPercent;
            var perMinute = Math.Max(1, perMinuteMax / chance.Pick([1, 3, 10]));
            var duration = durationMax / chance.Pick([1, 4, 20]);
            if (isOn)
            {
                rates.Add(new FaultRate(kind, perMinute, duration));
            }
        }

        return rates;
    }
}
